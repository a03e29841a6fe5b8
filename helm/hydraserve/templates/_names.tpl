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

{{/* Input: dict root, component, and model (name) for workers. What a selector may hold: it can never change. */}}
{{- define "hydraserve.selectorLabels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .model }}
hydraserve.io/model: {{ . }}
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

{{/* Key `targets`: each pod of the caches' StatefulSet; nothing without any. */}}
{{- define "hydraserve.kvcacheTargets" -}}
{{- if gt (int .Values.kvcache.replicas) 0 }}
{{- $name := printf "%s-kvcache" (include "hydraserve.fullname" .) -}}
targets:
{{- range $number := until (int .Values.kvcache.replicas) }}
  - {{ printf "dns:///%s-%d.%s.%s.svc:9093" $name $number $name $.Release.Namespace }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Keys `target` and, of several schedulers, `targets`: each pod of their StatefulSet has a name of its own. */}}
{{- define "hydraserve.schedulerTargets" -}}
{{- $service := printf "%s-scheduler.%s.svc:9091" (include "hydraserve.fullname" .) .Release.Namespace -}}
target: {{ printf "dns:///%s" $service }}
{{- if gt (int .Values.scheduler.replicas) 1 }}
targets:
{{- range $number := until (int .Values.scheduler.replicas) }}
  - {{ printf "dns:///%s-scheduler-%d.%s" (include "hydraserve.fullname" $) $number $service }}
{{- end }}
{{- end }}
{{- end -}}
