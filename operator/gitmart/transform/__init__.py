"""
From raw tables to tested marts: dbt, run once, in this process.

`command` reads the options, `run` is the order of things, `stopper` can end it at any moment from
outside of dbt, `extra` joins a user's project with ours, `dbt` calls dbt, `frugal` leaves out what it
never uses, `hearing` the events that nobody hears, and `sessions` the opening of most sessions; `environment` tells
it where the warehouse is, `progress` says how far it is, `lineage` puts it into OpenLineage's words, which `collector`
sends, `digest` puts its results into ours, `verdict` says how the run ended.
"""
