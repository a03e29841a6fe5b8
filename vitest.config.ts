import { defineConfig } from 'vitest/config';

const conditions = ['hydra-source', 'node'];

/** What `make test` runs: needs Node and nothing else. */
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['libs/**/*.test.ts', 'apps/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.mjs'],
    exclude: ['**/node_modules/**', 'dist/**', 'test/integration/**', 'test/kubernetes/**', 'test/rollout/**'],
    testTimeout: 30_000,
    // Beyond the bound of test/support/platform.ts: its error has the platform's last lines, the one of a hook has nothing.
    hookTimeout: 660_000,
    maxWorkers: 2,
    // Real processes on shared machines: one that was starved is tried again, and reported as such.
    retry: process.env['CI'] === undefined ? 0 : 1,
    setupFiles: ['test/support/property-seed.ts'],
    globalSetup: ['test/support/temporary-folder.ts'],
  },
});
