import { defineConfig, mergeConfig } from 'vitest/config';
import unit from './vitest.config.js';

/** What `make test-integration` runs: suites that need Python clients, servers or peers, which the target installs. */
export default mergeConfig(
  unit,
  defineConfig({
    test: {
      include: [],
      fileParallelism: false,
      testTimeout: 120_000,
    },
  }),
);
