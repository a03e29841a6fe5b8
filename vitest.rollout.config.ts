import { defineConfig } from 'vitest/config';

const conditions = ['hydra-source', 'node'];

/** What `make test-rollout` runs: real processes, restarted one after another under load. Needs Node and nothing else. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/rollout/**/*.test.ts'],
    testTimeout: 900_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    globalSetup: ['test/support/temporary-folder.ts'],
  },
});
