import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../testing/temp-folder.js';
import { modelConfigOfFolder } from './folder-model-config.js';
import { resolveLocalModel } from './local-model.js';

const BERT = {
  ...{ model_type: 'bert', hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4 },
  ...{ vocab_size: 90, max_position_embeddings: 512, hidden_act: 'gelu' },
};
const DISTILBERT = {
  ...{ model_type: 'distilbert', dim: 32, hidden_dim: 64, n_layers: 2, n_heads: 4, activation: 'gelu' },
  ...{ vocab_size: 90, max_position_embeddings: 512 },
};
const ROBERTA = { ...BERT, model_type: 'roberta', max_position_embeddings: 514, pad_token_id: 1, layer_norm_eps: 1e-5 };
const LOWERS = { normalizer: { type: 'BertNormalizer', lowercase: true } };
const KEEPS = { normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }] } };

const modules = (...kinds: string[]) =>
  kinds.map((kind, index) => ({
    path: index === 0 ? '' : `${index}_${kind}`,
    type: `sentence_transformers.models.${kind}`,
  }));

/** Files by path; what is no text is written as JSON. */
async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = await tempFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const configOf = async (files: Readonly<Record<string, unknown>>) => modelConfigOfFolder(await folderWith(files));

describe('the configuration of an encoder', () => {
  it('given nothing of sentence-transformers, when read, then vectors are normalized means over the whole context', async () => {
    expect(await configOf({ 'config.json': BERT })).toMatchObject({
      contextTokens: 512,
      encoder: { layerNormEps: 1e-12, positionEmbedding: 'absolute', pooling: 'mean', isNormalized: true },
    });
  });

  it("given DistilBERT's own words, when read, then they are what they are elsewhere", async () => {
    expect(await configOf({ 'config.json': DISTILBERT })).toMatchObject({
      ...{ hiddenSize: 32, intermediateSize: 64, layers: 2, attentionHeads: 4, headDim: 8, hiddenActivation: 'gelu' },
    });
  });

  it.each([
    [{}, 1, 512],
    [{ pad_token_id: 5 }, 5, 508],
    [{ pad_token_id: null }, 1, 512],
  ])(
    'given RoBERTa with %j, when read, then positions begin behind that id',
    async (rest, padTokenId, contextTokens) => {
      expect(await configOf({ 'config.json': { ...ROBERTA, ...rest } })).toMatchObject({
        contextTokens,
        encoder: { positionPadTokenId: padTokenId, layerNormEps: 1e-5 },
      });
    },
  );

  it.each([
    [{ 'sentence_bert_config.json': { max_seq_length: 256 } }, 256],
    [{ 'sentence_roberta_config.json': { max_seq_length: 128 } }, 128],
    [
      { 'sentence_bert_config.json': { max_seq_length: null }, 'tokenizer_config.json': { model_max_length: 384 } },
      384,
    ],
    [{ 'sentence_bert_config.json': { max_seq_length: 4_096 } }, 512],
    [{ 'tokenizer_config.json': { model_max_length: 1e30 } }, 512],
  ])('given %j, when read, then inputs have at most so many tokens', async (files, contextTokens) => {
    expect((await configOf({ 'config.json': BERT, ...files })).contextTokens).toBe(contextTokens);
  });

  it.each([
    [{ pooling_mode_mean_tokens: true, pooling_mode_cls_token: false }, ['Transformer', 'Pooling'], 'mean', false],
    [{ pooling_mode_cls_token: true }, ['Transformer', 'Pooling', 'Normalize'], 'cls', true],
    [{ pooling_mode_max_tokens: true }, ['Transformer', 'Pooling'], 'max', false],
    [{ pooling_mode: 'cls', embedding_dimension: 32 }, ['Transformer', 'Pooling', 'Normalize'], 'cls', true],
  ])(
    'given the pooling %j and modules %j, when read, then it is %s, normalized: %s',
    async (pooling, kinds, expected, isNormalized) => {
      const files = { 'modules.json': modules(...kinds), '1_Pooling/config.json': pooling };
      expect(await configOf({ 'config.json': BERT, ...files })).toMatchObject({
        encoder: { pooling: expected, isNormalized },
      });
    },
  );

  it.each([
    [
      { '1_Pooling/config.json': { pooling_mode_mean_tokens: true, pooling_mode_max_tokens: true } },
      'its pooling is mean and max; known are mean, cls, max, one of them',
    ],
    [
      { '1_Pooling/config.json': { pooling_mode_weightedmean_tokens: true } },
      'its pooling is weightedmean; known are mean, cls, max, one of them',
    ],
    [{ '1_Pooling/config.json': { pooling_mode: ['cls', 'mean'] } }, 'its pooling is cls and mean;'],
    [{ '1_Pooling/config.json': {} }, 'its pooling is not said; known are'],
    [{ 'modules.json': modules('Transformer', 'Pooling') }, 'the config.json of its pooling is missing'],
    [
      { 'modules.json': modules('Transformer', 'Pooling', 'Dense', 'Normalize') },
      'its modules are Transformer, Pooling, Dense, Normalize; known are',
    ],
    [
      { 'sentence_bert_config.json': { do_lower_case: true }, 'tokenizer.json': KEEPS },
      'it wants texts in lower case, and its tokenizer.json does not make them so',
    ],
    [
      { 'tokenizer_config.json': { do_lower_case: false }, 'tokenizer.json': LOWERS },
      'its tokenizer_config.json says do_lower_case: false, and its tokenizer.json the contrary',
    ],
    [
      { 'tokenizer_config.json': { do_lower_case: true }, 'tokenizer.json': KEEPS },
      'its tokenizer_config.json says do_lower_case: true, and its tokenizer.json the contrary',
    ],
    [
      { 'config.json': { ...BERT, architectures: ['BertForSequenceClassification'] } },
      'it was trained for something else than embeddings (BertForSequenceClassification)',
    ],
    [{ 'config.json': { ...BERT, is_decoder: true } }, 'its configuration makes a decoder of it (is_decoder)'],
    [
      { 'config.json': { ...BERT, model_type: 'roberta', max_position_embeddings: 2 } },
      'its 2 positions leave none for a token',
    ],
  ])('given %j, when read, then the error says why its vectors cannot be made', async (files, reason) => {
    await expect(configOf({ 'config.json': BERT, ...files })).rejects.toThrow(reason);
  });

  it.each(['{}', '[{}]', '[{"type": "a.Pooling", "path": "../other"}]', 'x'])(
    'given a modules.json of %s, when read, then the error names it',
    async (text) => {
      await expect(configOf({ 'config.json': BERT, 'modules.json': text })).rejects.toThrow('its modules.json');
    },
  );

  it.each([
    [{ 'sentence_bert_config.json': { do_lower_case: true }, 'tokenizer.json': LOWERS }],
    [{ 'tokenizer_config.json': { do_lower_case: true }, 'tokenizer.json': LOWERS }],
    [{ 'tokenizer_config.json': { do_lower_case: false }, 'tokenizer.json': KEEPS }],
    [{ 'config.json': ROBERTA, 'tokenizer_config.json': { do_lower_case: true }, 'tokenizer.json': KEEPS }],
  ])('given %j, which agree, when read, then it is taken', async (files) => {
    expect(await configOf({ 'config.json': BERT, ...files })).toMatchObject({ encoder: { pooling: 'mean' } });
  });

  it('given a head for another task beside the files of sentence-transformers, when read, then those count', async () => {
    const files = {
      'config.json': { ...BERT, architectures: ['BertForSequenceClassification'] },
      'modules.json': modules('Transformer', 'Pooling'),
      '1_Pooling/config.json': { pooling_mode_mean_tokens: true },
    };
    expect(await configOf(files)).toMatchObject({ encoder: { isNormalized: false } });
  });
});

describe('a folder with an encoder', () => {
  it('given another pooling in its place, when resolved again, then it counts as another model', async () => {
    const files = { 'config.json': BERT, 'model.safetensors': '', '1_Pooling/config.json': { pooling_mode: 'mean' } };
    const folder = await folderWith(files);
    const before = await resolveLocalModel(folder);
    expect((await resolveLocalModel(folder)).contentKey).toBe(before.contentKey);
    const pooling = join(folder, '1_Pooling', 'config.json');
    await writeFile(pooling, '{"pooling_mode":"last"}');
    await utimes(pooling, new Date(1_000), new Date(1_000));
    expect((await resolveLocalModel(folder)).contentKey).not.toBe(before.contentKey);
  });
});
