{{/* The name of all resources, which must be a name for a Service. With 53 characters, as many as the name of a release may
have, no two releases get the same, and there is space for what is put behind it. */}}
{{- define "emqx-client-monitor.fullname" -}}
{{- $name := .Values.fullnameOverride -}}
{{- if not $name -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $name = contains .Chart.Name $release | ternary $release (printf "%s-%s" $release .Chart.Name) -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- fail (printf "the name of a Service begins with a letter, unlike %s: set fullnameOverride" $name) -}}
{{- end -}}
{{- $name | trunc 53 | trimSuffix "-" -}}
{{- end -}}

{{/* The labels that select the pods of the release, those of its test included. */}}
{{- define "emqx-client-monitor.release" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The labels that select the exporters. */}}
{{- define "emqx-client-monitor.exporters" -}}
{{ include "emqx-client-monitor.release" . }}
app.kubernetes.io/component: exporter
{{- end -}}

{{/* The labels of every resource. */}}
{{- define "emqx-client-monitor.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "emqx-client-monitor.exporters" . }}
{{- end -}}

{{/* The labels of resources that the Prometheus operator selects. */}}
{{- define "emqx-client-monitor.monitoringLabels" -}}
{{- merge (dict) .Values.monitoring.labels (include "emqx-client-monitor.labels" . | fromYaml) | toYaml -}}
{{- end -}}

{{- define "emqx-client-monitor.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Host and port of the Service, as other namespaces reach it. */}}
{{- define "emqx-client-monitor.address" -}}
{{ include "emqx-client-monitor.fullname" . }}.{{ .Release.Namespace }}.svc:{{ .Values.service.port }}
{{- end -}}

{{- define "emqx-client-monitor.scheme" -}}
{{ ternary "https" "http" .Values.web.tls }}
{{- end -}}

{{/* What stands before the path of each route: empty, or such as /emqx. */}}
{{- define "emqx-client-monitor.prefix" -}}
{{- with .Values.web -}}
{{- $path := .routePrefix | default (urlParse .externalUrl).path | trimAll "/" -}}
{{- if $path }}/{{ $path }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The address that links in alerts and in the dashboard begin with. */}}
{{- define "emqx-client-monitor.externalUrl" -}}
{{- $service := printf "%s://%s%s" (include "emqx-client-monitor.scheme" .) (include "emqx-client-monitor.address" .) (include "emqx-client-monitor.prefix" .) -}}
{{- .Values.web.externalUrl | default $service | trimSuffix "/" -}}
{{- end -}}

{{/* Options for address and prefix. */}}
{{- define "emqx-client-monitor.webArgs" -}}
{{- with .Values.web.externalUrl }}
- --web.external-url={{ . }}
{{- end }}
{{- with .Values.web.routePrefix }}
- --web.route-prefix={{ . }}
{{- end }}
{{- end -}}

{{/* Whether the chart makes the configuration, as a text that is empty if not. */}}
{{- define "emqx-client-monitor.makesConfig" -}}
{{- with .Values.configuration -}}
{{- if and .existingConfigMap .existingSecret -}}
{{- fail "configuration: set existingConfigMap or existingSecret, not both" -}}
{{- end -}}
{{- if not (or .existingConfigMap .existingSecret) -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* The configuration that the chart makes. */}}
{{- define "emqx-client-monitor.config" -}}
{{- $config := .Values.config -}}
{{- if and .Values.clientFiles (not (hasKey $config "monitored_client_files")) -}}
{{- $config = merge (dict "monitored_client_files" (list "/etc/emqx-client-monitor/clients/*")) $config -}}
{{- end -}}
{{- $text := toYaml $config -}}
{{- if and (contains "/run/secrets/emqx-client-monitor/" $text) (not (include "emqx-client-monitor.secret" .)) -}}
{{- fail "config reads API keys from /run/secrets/emqx-client-monitor: set secrets.existingSecret, or secrets.data with api-key and api-secret" -}}
{{- end -}}
{{- $text -}}
{{- end -}}

{{/* The name of the Secret with the API keys, if there is one. */}}
{{- define "emqx-client-monitor.secret" -}}
{{- with .Values.secrets -}}
{{- if and .existingSecret .data -}}
{{- fail "secrets: set existingSecret or data, not both" -}}
{{- end -}}
{{- if .existingSecret -}}
{{- .existingSecret -}}
{{- else if .data -}}
{{- include "emqx-client-monitor.fullname" $ -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What makes a pod acceptable for the Pod Security Standard "restricted". */}}
{{- define "emqx-client-monitor.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65534
  runAsGroup: 65534
  fsGroup: 65534 # can read the secrets
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "emqx-client-monitor.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* The files of the exporter. Each directory is a volume: a volume cannot be mounted inside a read-only one. */}}
{{- define "emqx-client-monitor.volumes" -}}
- name: config
  {{- with .Values.configuration }}
  {{- if .existingSecret }}
  secret:
    secretName: {{ .existingSecret }}
    defaultMode: 0440
    items: [{key: {{ .key }}, path: config.yaml}]
  {{- else if .existingConfigMap }}
  configMap:
    name: {{ .existingConfigMap }}
    items: [{key: {{ .key }}, path: config.yaml}]
  {{- else }}
  configMap: {name: {{ include "emqx-client-monitor.fullname" $ }}}
  {{- end }}
  {{- end }}
{{- with .Values.clientFiles }}
- name: clients
  projected:
    sources:
      {{- range . }}
      - configMap: {name: {{ . }}}
      {{- end }}
{{- end }}
{{- with include "emqx-client-monitor.secret" . }}
- name: secrets
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.web.existingSecret }}
- name: web
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "emqx-client-monitor.volumeMounts" -}}
- {name: config, mountPath: /etc/emqx-client-monitor/config, readOnly: true}
{{- if .Values.clientFiles }}
- {name: clients, mountPath: /etc/emqx-client-monitor/clients, readOnly: true}
{{- end }}
{{- if include "emqx-client-monitor.secret" . }}
- {name: secrets, mountPath: /run/secrets/emqx-client-monitor, readOnly: true}
{{- end }}
{{- if .Values.web.existingSecret }}
- {name: web, mountPath: /etc/emqx-client-monitor/web, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}
