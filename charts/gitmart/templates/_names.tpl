{{/* What every name of the release starts with. */}}
{{- define "gitmart.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "gitmart" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-gitmart" (.Release.Name | trunc 32 | trimSuffix "-") -}}
{{- end -}}
{{- end }}

{{/* The Secret in the release's namespace with all connection URLs. */}}
{{- define "gitmart.warehouse.secret" -}}
{{- .Values.warehouse.existingSecret | default "gitmart-warehouse" -}}
{{- end }}

{{/* The Secret with the passwords of the bundled PostgreSQL. */}}
{{- define "gitmart.postgresql.secret" -}}
{{- .Values.postgresql.existingSecret | default (printf "%s-postgresql" (include "gitmart.fullname" .)) -}}
{{- end }}

{{/* Labels of an object: (dict "root" $ "component" "operator"). */}}
{{- define "gitmart.labels" -}}
{{ include "gitmart.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: gitmart
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name (.root.Chart.Version | replace "+" "_") }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels that tell the pods of a part apart: (dict "root" $ "component" "operator"). They never change. */}}
{{- define "gitmart.selector" -}}
app.kubernetes.io/name: gitmart
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Labels of a pod: the same that never change with a release, and the user's. */}}
{{- define "gitmart.podLabels" -}}
{{ include "gitmart.selector" . }}
app.kubernetes.io/part-of: gitmart
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- with .labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* gitmart's own image. */}}
{{- define "gitmart.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end -}}
{{- end -}}
{{- end }}

{{/* The bundled PostgreSQL's image. */}}
{{- define "gitmart.postgresql.image" -}}
{{- with .Values.postgresql.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ required "postgresql.image.tag is empty: name a version, such as 18-bookworm, or give postgresql.image.digest" .tag }}{{ end -}}
{{- end -}}
{{- end }}
