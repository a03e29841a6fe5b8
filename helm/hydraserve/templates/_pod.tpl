{{/* What all pods have in common. */}}

{{- define "hydraserve.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "hydraserve.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/*
Time until a pod is killed: its pause before SIGTERM, if it has one, what running requests may take after it, and a margin.
Input: dict root, drainMs, preStopSeconds.
*/}}
{{- define "hydraserve.gracePeriod" -}}
{{- add .preStopSeconds (include "hydraserve.seconds" .drainMs | int64) .root.Values.shutdown.marginSeconds -}}
{{- end -}}

{{/* The app is ready until SIGTERM; meanwhile load balancers learn that the pod goes. Workers need none: the scheduler is told at once. */}}
{{- define "hydraserve.preStop" -}}
preStop:
  sleep:
    seconds: {{ .Values.shutdown.preStopSeconds }}
{{- end -}}

{{/*
Input: dict port, startupSeconds, scheme (optional), startup and ready (optional: paths, by default /health/startup and /health/ready),
readyAfterSeconds (optional).
*/}}
{{- define "hydraserve.probes" -}}
startupProbe:
  httpGet: { path: {{ default "/health/startup" .startup }}, port: {{ .port }}{{ with .scheme }}, scheme: {{ . }}{{ end }} }
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ max 6 (div (add (int64 .startupSeconds) 4) 5) }}
livenessProbe:
  httpGet: { path: /health/live, port: {{ .port }}{{ with .scheme }}, scheme: {{ . }}{{ end }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: {{ default "/health/ready" .ready }}, port: {{ .port }}{{ with .scheme }}, scheme: {{ . }}{{ end }} }
  {{- with .readyAfterSeconds }}
  initialDelaySeconds: {{ . }}
  {{- end }}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/*
Seconds before one of several takes the place of its predecessor, so that an update replaces one after another: chosen for a scheduler's
workers to have joined its successor (they try again every 2 s at least), with a bound for how long a crashed one is away. Input: ordinal.
*/}}
{{- define "hydraserve.staggerSeconds" -}}
{{- min 60 (mul 10 .) -}}
{{- end -}}

{{- define "hydraserve.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Placement of a component's pods. Input: its values. */}}
{{- define "hydraserve.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Spread over nodes and zones unless told otherwise. Input: dict values, labels (text). */}}
{{- define "hydraserve.spread" -}}
topologySpreadConstraints:
{{- if .values.topologySpreadConstraints }}
  {{- toYaml .values.topologySpreadConstraints | nindent 2 }}
{{- else }}
  {{- $labels := .labels }}
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- $labels | nindent 8 }}
  {{- end }}
{{- end }}
{{- end -}}
