import { defineConfig } from 'vitest/config';

const conditions = ['hydra-source', 'node'];

/** What `make test-integration` runs: suites that need Python clients, grpcurl or a peer, which the target installs. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['test/integration/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    globalSetup: ['test/support/temporary-folder.ts'],
  },
});
