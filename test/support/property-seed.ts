/** Runs properties anew as a failure's report names them: `{ seed: …, path: "…" }`. Fast-check is loaded for nobody else. */
const seed = process.env['HYDRA_TEST_SEED'];
if (seed !== undefined) {
  if (!/^-?\d+$/.test(seed)) throw new Error(`HYDRA_TEST_SEED: expected a whole number, but got '${seed}'`);
  const { default: fc } = await import('fast-check');
  const path = process.env['HYDRA_TEST_SEED_PATH'];
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(seed), ...(path !== undefined && { path }) });
}

export {};
