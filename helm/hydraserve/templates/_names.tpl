{{/* Names and labels. Every object is named RELEASE-COMPONENT; a release that has the chart's name in it is not repeated. */}}

{{- define "hydraserve.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
Name of a model's objects: its `name`, or what Kubernetes allows of its id with a few hexadecimal digits of the whole id behind, so that
two ids never share one. Input: the model.
*/}}
{{- define "hydraserve.modelName" -}}
{{- if .name -}}
{{- .name -}}
{{- else -}}
{{- $plain := .id | lower | replace "/" "-" | replace "." "-" | replace "_" "-" -}}
{{- if and (eq $plain .id) (le (len $plain) 30) (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" $plain) -}}
{{- $plain -}}
{{- else -}}
{{- printf "%s-%s" (regexReplaceAll "[^a-z0-9-]" $plain "" | trunc 24 | trimAll "-") (sha256sum .id | trunc 6) | trimAll "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Input: dict root, component, and model (name) for workers, ordinal for one scheduler or cache of several. What a selector may hold: it can
never change.
*/}}
{{- define "hydraserve.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
hydraserve.io/model: {{ . }}
{{- end }}
{{- if hasKey . "ordinal" }}
hydraserve.io/ordinal: {{ .ordinal | quote }}
{{- end }}
{{- end -}}

{{- define "hydraserve.labels" -}}
{{ include "hydraserve.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Input: dict root, component ("gateway", "scheduler", "inference", "kvcache"), variant (optional, "-cuda"). */}}
{{- define "hydraserve.image" -}}
{{- $image := .root.Values.image -}}
{{- $name := printf "%s/%s%s" $image.repository .component (default "" .variant) -}}
{{- if $image.registry -}}{{- $name = printf "%s/%s" $image.registry $name -}}{{- end -}}
{{- $digest := get (default dict $image.digests) (printf "%s%s" .component (default "" .variant)) -}}
{{- if $digest -}}{{ $name }}@{{ $digest }}{{- else -}}{{ $name }}:{{ default .root.Chart.AppVersion $image.tag }}{{- end -}}
{{- end -}}

{{- define "hydraserve.serviceAccountName" -}}
{{ printf "%s-%s" (include "hydraserve.fullname" .root) .component }}
{{- end -}}

{{/* Each scheduler and each cache is a Deployment of its own, behind a Service of its own. Input: dict root, component, ordinal. */}}
{{- define "hydraserve.ordinalName" -}}
{{ printf "%s-%s-%d" (include "hydraserve.fullname" .root) .component (int .ordinal) }}
{{- end -}}

{{/* Where one scheduler or cache is reached, whichever process is behind the name at present. Input: dict root, component, ordinal, port. */}}
{{- define "hydraserve.ordinalTarget" -}}
{{ printf "dns:///%s.%s.svc:%d" (include "hydraserve.ordinalName" .) .root.Release.Namespace (int .port) }}
{{- end -}}

{{/* Key `targets`: each cache of KV blocks; nothing without any. */}}
{{- define "hydraserve.kvcacheTargets" -}}
{{- if gt (int .Values.kvcache.replicas) 0 }}
targets:
{{- range $ordinal := until (int .Values.kvcache.replicas) }}
  - {{ include "hydraserve.ordinalTarget" (dict "root" $ "component" "kvcache" "ordinal" $ordinal "port" 9093) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Keys `target` and, of several schedulers, `targets`. */}}
{{- define "hydraserve.schedulerTargets" -}}
target: {{ include "hydraserve.ordinalTarget" (dict "root" . "component" "scheduler" "ordinal" 0 "port" 9091) }}
{{- if gt (int .Values.scheduler.replicas) 1 }}
targets:
{{- range $ordinal := until (int .Values.scheduler.replicas) }}
  - {{ include "hydraserve.ordinalTarget" (dict "root" $ "component" "scheduler" "ordinal" $ordinal "port" 9091) }}
{{- end }}
{{- end }}
{{- end -}}
