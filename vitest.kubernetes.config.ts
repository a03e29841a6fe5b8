import { defineConfig } from 'vitest/config';

const conditions = ['hydra-source', 'node'];

/** What `make test-kubernetes` runs: the Helm chart, rendered and on a real control plane, both built by the target. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/kubernetes/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    globalSetup: ['test/support/temporary-folder.ts'],
  },
});
