# syntax=docker/dockerfile:1
# One image an app: docker build --target gateway|scheduler|kvcache|inference|inference-cuda .
# The final images have no shell and no package manager, run as nobody, and write to /tmp and /var/lib/hydraserve only (mount both; the
# root may be read-only). scripts/assemble-image.mjs does the work, and does the same without a container engine.

ARG NODE_IMAGE=node:24-bookworm-slim
ARG RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot
# CUDA 12 with cuDNN 9, as ONNX Runtime asks for; not verified on a GPU.
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

FROM ${NODE_IMAGE} AS packages
WORKDIR /app
ENV ONNXRUNTIME_NODE_INSTALL=skip SCARF_ANALYTICS=false
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund

FROM packages AS build
COPY tsconfig.json tsconfig.build.json ./
COPY proto proto
COPY libs libs
COPY apps apps
RUN npm run --silent build
COPY scripts/assemble-image.mjs scripts/
RUN for app in gateway scheduler kvcache inference; do node scripts/assemble-image.mjs "$app" "/images/$app"; done \
 && mkdir -p /images/empty

FROM build AS build-cuda
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js \
 && node scripts/assemble-image.mjs inference /images/inference

FROM ${RUNTIME_IMAGE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="HydraServe" \
      org.opencontainers.image.description="Distributed inference platform for large language models" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production HYDRA_HOME=/var/lib/hydraserve
WORKDIR /app
USER 65532:65532
ENTRYPOINT ["node"]

# Flags and variables of an app's process are those of libs/config/src/process-settings.ts.

FROM runtime AS gateway
COPY --from=build /images/gateway ./
COPY --from=build --chown=65532:65532 /images/empty /var/lib/hydraserve
EXPOSE 8080 9090
CMD ["--use-largepages=silent", "dist/apps/gateway/src/main.js"]

FROM runtime AS scheduler
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1
COPY --from=build /images/scheduler ./
EXPOSE 8081 9091
CMD ["--use-largepages=silent", "dist/apps/scheduler/src/main.js"]

FROM runtime AS kvcache
COPY --from=build /images/kvcache ./
EXPOSE 8083 9093
CMD ["dist/apps/kvcache/src/main.js"]

FROM runtime AS inference
ENV MALLOC_ARENA_MAX=2
COPY --from=build /images/inference ./
COPY --from=build --chown=65532:65532 /images/empty /var/lib/hydraserve
EXPOSE 8082 9092
CMD ["dist/apps/inference/src/main.js"]

FROM ${CUDA_IMAGE} AS inference-cuda
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="HydraServe inference, CUDA" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production HYDRA_HOME=/var/lib/hydraserve
WORKDIR /app
ENV MALLOC_ARENA_MAX=2
COPY --from=build-cuda /images/inference ./
COPY --from=build-cuda --chown=65532:65532 /images/empty /var/lib/hydraserve
USER 65532:65532
EXPOSE 8082 9092
ENTRYPOINT ["node"]
CMD ["dist/apps/inference/src/main.js"]
