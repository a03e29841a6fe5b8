import type { ModelConfig } from '#lib/config';
import type { SamplingDefaults } from '#lib/contracts';
import { findInCatalogue } from '#lib/models';
import { readGenerationDefaults, type TextFiles } from '#lib/tokens';

/**
 * Values for the sampling parameters that a request does not give, each from the first that has it: `hydra.yaml`, the model's
 * generation_config.json, the catalogue. What lies outside of the public API's ranges is left out.
 */
export function samplingDefaultsOf(model: ModelConfig, textFiles: TextFiles): SamplingDefaults {
  const { sampling: given = {} } = model;
  const own = readGenerationDefaults(textFiles);
  const listed = findInCatalogue(model.source ?? model.id)?.sampling ?? {};
  const topK = given.top_k ?? within(own.topK, 0, MAX_TOP_K) ?? listed.topK;
  return {
    temperature: given.temperature ?? within(own.temperature, 0, 2) ?? listed.temperature,
    topP: given.top_p ?? within(own.topP, Number.MIN_VALUE, 1) ?? listed.topP,
    topK: topK === undefined ? undefined : Math.trunc(topK),
    minP: given.min_p ?? within(own.minP, 0, 1) ?? listed.minP,
    repetitionPenalty: given.repetition_penalty ?? within(own.repetitionPenalty, 0.01, 100) ?? listed.repetitionPenalty,
  };
}

/** Of the field's type, uint32. */
const MAX_TOP_K = 2 ** 32 - 1;

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
