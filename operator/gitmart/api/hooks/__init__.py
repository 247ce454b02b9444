"""
Runs on request: webhooks of git hosts, and triggers for people and programs.

Either way an annotation is set on a Repository or DbtSchedule, and the operator does the rest. `signatures` proves
who sent a webhook, `deliveries` reads what it says (both pure); `kubernetes` is the little of the cluster's API
that is needed, `directory` knows which Repositories have an address, `gathering` makes one request of a burst.
"""
