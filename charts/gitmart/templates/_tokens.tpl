{{/*
The static tokens that the chart makes for the API, as the text of their file: those of the release's Secret, else new
ones. As with passwords, the first answer of a rendering is kept.
*/}}
{{- define "gitmart.api.tokens" -}}
{{- if not (hasKey .Values "generatedTokens") -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "gitmart.api.secret" .) -}}
{{- $known := index ($secret.data | default dict) "tokens" | default "" | b64dec -}}
{{- $made := printf "reader=%s\ntrigger=%s\n" (randAlphaNum 40) (randAlphaNum 40) -}}
{{- $_ := set .Values "generatedTokens" ($known | default $made) -}}
{{- end -}}
{{- .Values.generatedTokens -}}
{{- end }}

{{/* The Secret with the API's static tokens. */}}
{{- define "gitmart.api.secret" -}}
{{- .Values.api.authentication.existingSecret | default (printf "%s-api" (include "gitmart.fullname" .)) -}}
{{- end }}

{{/* "true" if static tokens are taken, else nothing. */}}
{{- define "gitmart.api.hasTokens" -}}
{{- if has .Values.api.authentication.mode (list "tokens" "tokens-and-oidc") }}true{{ end -}}
{{- end }}

{{/* "true" if tokens of OpenID Connect are taken, else nothing. */}}
{{- define "gitmart.api.hasOidc" -}}
{{- if has .Values.api.authentication.mode (list "oidc" "tokens-and-oidc") }}true{{ end -}}
{{- end }}
