{{/*
The objects of a component of which each process has a name of its own, by which others know it: schedulers and caches of KV blocks. What they
read is one ConfigMap, and each is a Deployment of one pod behind a Service.
Input: dict root, component, config (text), ports (dict http, grpc), ready (path, optional), env (name of a template, with a dict of root, component
and ordinal).
*/}}
{{- define "hydraserve.ordinalObjects" -}}
{{- $root := .root -}}
{{- $values := get .root.Values .component -}}
{{- $labels := dict "root" .root "component" .component -}}
{{- $name := include "hydraserve.serviceAccountName" $labels -}}
{{- $replicas := int $values.replicas -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels:
    {{- include "hydraserve.labels" $labels | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels:
    {{- include "hydraserve.labels" $labels | nindent 4 }}
data:
  hydra.yaml: |
    {{- .config | nindent 4 }}
{{- range $ordinal := until $replicas }}
{{- $one := merge (dict "ordinal" $ordinal) $labels }}
---
# One process behind one name: its successor has the name as soon as it listens, and only then does this one end.
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "hydraserve.ordinalName" $one }}
  labels:
    {{- include "hydraserve.labels" $one | nindent 4 }}
spec:
  replicas: 1
  revisionHistoryLimit: 5
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  selector:
    matchLabels:
      {{- include "hydraserve.selectorLabels" $one | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "hydraserve.selectorLabels" $one | nindent 8 }}
      annotations:
        checksum/config: {{ include "hydraserve.restartChecksum" (dict "root" $root "config" $.config) }}
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: false
      {{- include "hydraserve.pullSecrets" $root | nindent 6 }}
      securityContext:
        {{- include "hydraserve.podSecurity" $root | nindent 8 }}
      terminationGracePeriodSeconds: 30
      {{- include "hydraserve.placement" $values | nindent 6 }}
      {{- include "hydraserve.spread" (dict "values" $values "labels" (include "hydraserve.selectorLabels" $labels)) | nindent 6 }}
      containers:
        - name: {{ $.component }}
          image: {{ include "hydraserve.image" $labels }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          securityContext:
            {{- include "hydraserve.containerSecurity" $root | nindent 12 }}
          env:
            - { name: HYDRA_CONFIG, value: /etc/hydraserve/hydra.yaml }
            {{- with include $.env $one }}
            {{- . | nindent 12 }}
            {{- end }}
          ports:
            - { name: http, containerPort: {{ $.ports.http }} }
            - { name: grpc, containerPort: {{ $.ports.grpc }} }
          {{- include "hydraserve.probes" (dict "port" "http" "startupSeconds" 30 "ready" $.ready "readyAfterSeconds" (include "hydraserve.staggerSeconds" $ordinal | int)) | nindent 10 }}
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            - { name: config, mountPath: /etc/hydraserve, readOnly: true }
            - { name: temporary, mountPath: /tmp }
            {{- include "hydraserve.tlsMounts" $labels | nindent 12 }}
      volumes:
        - name: config
          configMap: { name: {{ $name }} }
        - name: temporary
          emptyDir: { sizeLimit: 64Mi }
        {{- include "hydraserve.tlsVolumes" $labels | nindent 8 }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "hydraserve.ordinalName" $one }}
  labels:
    {{- include "hydraserve.labels" $one | nindent 4 }}
spec:
  selector:
    {{- include "hydraserve.selectorLabels" $one | nindent 4 }}
  ports:
    - { name: grpc, port: {{ $.ports.grpc }}, targetPort: grpc, appProtocol: kubernetes.io/h2c }
    - { name: http, port: {{ $.ports.http }}, targetPort: http, appProtocol: http }
{{- end }}
{{- if gt $replicas 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels:
    {{- include "hydraserve.labels" $labels | nindent 4 }}
spec:
  maxUnavailable: 1
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "hydraserve.selectorLabels" $labels | nindent 6 }}
{{- end }}
{{- end -}}
