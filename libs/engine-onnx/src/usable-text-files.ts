import { type ResolvedModel, textFiles, UnsupportedModelError } from '#lib/models';
import { ChatTemplateError, type TextFiles, TextFilesError, TextModel } from '#lib/tokens';

/**
 * The files that turn a model's text into ids and back, read as whoever serves the model will read them: what is wrong with
 * them shows before minutes are spent on its weights.
 * @throws UnsupportedModelError that names the file
 */
export async function usableTextFiles(model: ResolvedModel): Promise<TextFiles> {
  const files = await textFiles(model);
  try {
    const text = TextModel.load(files);
    void text.table;
    text.chatTemplates?.compile();
  } catch (cause) {
    if (!(cause instanceof TextFilesError) && !(cause instanceof ChatTemplateError)) throw cause;
    throw new UnsupportedModelError(model.id, cause.message.replace(/\.$/, ''), { cause });
  }
  return files;
}
