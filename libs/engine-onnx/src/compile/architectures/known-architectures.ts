import type { BuildArchitecture } from './architecture.js';
import { buildBert } from './bert.js';
import { type BertTensors, bertTensors, DISTILBERT_TENSORS, MPNET_TENSORS } from './bert-tensors.js';
import { buildLlama } from './llama.js';

/** By the hub's `model_type`. Another architecture is one file and one line here. */
const ARCHITECTURES: ReadonlyMap<string, BuildArchitecture> = new Map<string, BuildArchitecture>([
  ['llama', { task: 'generate', build: buildLlama }],
  ['bert', encoder(bertTensors('bert.'))],
  ['roberta', encoder(bertTensors('roberta.'))],
  ['xlm-roberta', encoder(bertTensors('roberta.'))],
  ['camembert', encoder(bertTensors('roberta.'))],
  ['distilbert', encoder(DISTILBERT_TENSORS)],
  ['mpnet', encoder(MPNET_TENSORS)],
]);

function encoder(names: BertTensors): BuildArchitecture {
  return { task: 'embed', build: (input) => buildBert(input, names) };
}

/** The engine does not know the architecture. */
export class UnknownArchitectureError extends Error {
  override readonly name = 'UnknownArchitectureError';
  constructor(readonly architecture: string) {
    super(
      `The architecture ${JSON.stringify(architecture)} is not known; known are ${[...ARCHITECTURES.keys()].join(', ')}.`,
    );
  }
}

/** @throws UnknownArchitectureError */
export function architectureOf(name: string): BuildArchitecture {
  const build = ARCHITECTURES.get(name);
  if (build === undefined) throw new UnknownArchitectureError(name);
  return build;
}
