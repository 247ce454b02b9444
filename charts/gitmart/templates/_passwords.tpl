{{/*
The passwords of the bundled PostgreSQL, as JSON: those of the release's Secret, and new ones for those it lacks.
Chance answers differently each time it is asked, so the first answer of a rendering is kept beside the values.
*/}}
{{- define "gitmart.passwords" -}}
{{- if not (hasKey .Values "generatedPasswords") -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "gitmart.postgresql.secret" .) -}}
{{- $known := $secret.data | default dict -}}
{{- $passwords := dict -}}
{{- range list "postgres" "owner" "extract" "transform" "read" -}}
{{- $key := printf "%s-password" . -}}
{{- $_ := set $passwords . (hasKey $known $key | ternary (index $known $key | default "" | b64dec) (randAlphaNum 32)) -}}
{{- end -}}
{{- $_ := set .Values "generatedPasswords" $passwords -}}
{{- end -}}
{{- toJson .Values.generatedPasswords -}}
{{- end }}

{{/* The connection URL of a role of the bundled PostgreSQL: (dict "root" $ "role" "extract"). */}}
{{- define "gitmart.warehouse.url" -}}
{{- $password := index (include "gitmart.passwords" .root | fromJson) .role | urlquery | replace "+" "%20" -}}
{{- printf "postgresql://gitmart_%s:%s@%s-postgresql.%s.svc:5432/gitmart" .role $password (include "gitmart.fullname" .root) .root.Release.Namespace -}}
{{- end }}
