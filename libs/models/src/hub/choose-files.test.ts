import { describe, expect, it } from 'vitest';
import { chooseFiles } from './choose-files.js';

function chosen(paths: readonly string[], wanted?: string): { kind: string; paths: string[] } {
  const { kind, files } = chooseFiles(
    'org/m',
    paths.map((path) => ({ path })),
    wanted,
  );
  return { kind, paths: files.map(({ path }) => path) };
}

describe('chooseFiles', () => {
  it('given shards, weights a second time and other formats, when chosen, then the shards are taken once', () => {
    const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'];
    const text = ['config.json', 'tokenizer.json', 'chat_template.jinja'];
    const others = ['consolidated.safetensors', 'onnx/model.onnx', 'original/config.json', 'README.md', 'a.gguf'];
    expect(chosen([...others, ...shards, ...text, 'model.safetensors.index.json'])).toEqual({
      kind: 'hf-folder',
      paths: [...text, 'model.safetensors.index.json', ...shards],
    });
  });

  it('given what sentence-transformers writes beside an encoder, when chosen, then it is taken and other folders are not', () => {
    const needed = [
      'config.json',
      'tokenizer.json',
      'modules.json',
      'sentence_roberta_config.json',
      '1_Pooling/config.json',
    ];
    const others = ['2_Normalize/notes.txt', 'onnx/config.json', '1_Pooling/extra.json', 'train/1_Pooling/config.json'];
    expect(chosen([...needed, ...others, 'model.safetensors']).paths).toEqual([...needed, 'model.safetensors']);
  });

  it('given one GGUF file, when chosen, then it is all that is needed', () => {
    expect(chosen(['README.md', 'config.json', 'm.gguf'])).toEqual({ kind: 'gguf', paths: ['m.gguf'] });
  });

  it('given a GGUF file by name, when chosen, then it wins over safetensors', () => {
    expect(chosen(['model.safetensors', 'sub/m.gguf'], 'sub/m.gguf').paths).toEqual(['sub/m.gguf']);
  });

  it.each([
    [['pytorch_model.bin', 'config.json'], undefined, 'it has neither safetensors nor GGUF weights'],
    [['model.safetensors', 'config.json'], undefined, 'it has no tokenizer.json'],
    [['model.safetensors', 'tokenizer.json'], undefined, 'it has no config.json'],
    [['m-00001-of-00002.gguf'], undefined, 'its GGUF file is split'],
    [['a.gguf'], 'b.gguf', 'it has no file b.gguf; its GGUF files are a.gguf'],
  ])('given %j, when chosen, then the error says why not', (paths, wanted, reason) => {
    expect(() => chosen(paths, wanted)).toThrow(`org/m cannot be used: ${reason}`);
  });
});
