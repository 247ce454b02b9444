{{/* What the operator may do: in the cluster, or in each namespace it works in. No Secrets, no wildcards. */}}
{{- define "gitmart.rules" -}}
- apiGroups: [gitmart.dev]
  resources: [repositories, dbtschedules]
  verbs: [get, list, watch]
- apiGroups: [gitmart.dev]
  resources: [repositories/status, dbtschedules/status]
  verbs: [patch]
# Where OwnerReferencesPermissionEnforcement is on, whoever makes a Job that blocks its owner's deletion needs this.
- apiGroups: [gitmart.dev]
  resources: [repositories/finalizers, dbtschedules/finalizers]
  verbs: [update]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [batch] # a CronJob goes with its DbtSchedule; that of full refreshes also with spec.fullRefreshSchedule
  resources: [cronjobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, create, patch]
{{- end }}

{{/* What the API may do where the operator works: find the Repositories of an address, and ask for runs. */}}
{{- define "gitmart.api.rules" -}}
- apiGroups: [gitmart.dev]
  resources: [repositories]
  verbs: [list, patch]
- apiGroups: [gitmart.dev]
  resources: [dbtschedules]
  verbs: [patch]
{{- end }}
