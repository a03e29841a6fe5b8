export type { ChatMessage } from './chat-messages.js';
export type { ChatTemplateOptions } from './chat-template.js';
export { ChatTemplateError, type ChatTemplateFault, NoChatTemplateError } from './chat-template-error.js';
export { ChatTemplates } from './chat-templates.js';
export { type GenerationDefaults, readGenerationDefaults } from './generation-defaults.js';
export { type DetokenizerOptions, IncrementalDetokenizer } from './incremental-detokenizer.js';
export { type SequencePiece, SequenceText, type SequenceTextOptions } from './sequence-text.js';
export { type StopMatch, StopMatcher, type StopPiece } from './stop-matcher.js';
export { InvalidStopStringsError, type StopLimits, StopStrings } from './stop-strings.js';
export { SYNTHETIC_SPECIAL_TOKENS, syntheticTextFiles } from './synthetic-tokenizer.js';
export { type TextFiles, TextFilesError } from './text-files.js';
export { type ChatPromptOptions, TextModel, type TextModelOptions } from './text-model.js';
export { TokenTable } from './token-table.js';
export {
  type EncodeOptions,
  TextTooLongError,
  Tokenizer,
  type TokenizerOptions,
  TooManyTokensError,
} from './tokenizer.js';
