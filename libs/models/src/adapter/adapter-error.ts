/** A folder holds no LoRA adapter that can be added to the model. The message is a whole sentence. */
export class AdapterError extends Error {
  override readonly name = 'AdapterError';
}
