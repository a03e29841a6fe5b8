import { useState } from 'preact/hooks';
import type { Model } from '../api/resources.js';
import { type ChatSettings, MAX_TOKENS, readNumber, TEMPERATURE } from './chat-settings.js';

/** What stands in the fields. */
export interface SettingsForm {
  readonly model: string;
  readonly systemPrompt: string;
  readonly temperature: string;
  readonly maxTokens: string;
}

export interface ChatSettingsState {
  readonly form: SettingsForm;
  readonly chosen: ChatSettings;
  /** By field, for people. */
  readonly wrong: Readonly<Partial<Record<keyof SettingsForm, string>>>;
  readonly chatModels: readonly Model[];
  change(change: Partial<SettingsForm>): void;
}

const UNTOUCHED: SettingsForm = { model: '', systemPrompt: '', temperature: '', maxTokens: '' };

export function useChatSettings(models: readonly Model[]): ChatSettingsState {
  const [form, setForm] = useState(UNTOUCHED);
  const chatModels = models.filter(({ capabilities }) => capabilities.includes('chat'));
  const model = chatModels.find(({ id }) => id === form.model)?.id ?? chatModels[0]?.id ?? '';
  const temperature = readNumber(form.temperature, TEMPERATURE);
  const maxTokens = readNumber(form.maxTokens, MAX_TOKENS);
  return {
    form: { ...form, model },
    chosen: {
      model,
      systemPrompt: form.systemPrompt,
      temperature: typeof temperature === 'object' ? undefined : temperature,
      maxTokens: typeof maxTokens === 'object' ? undefined : maxTokens,
    },
    wrong: {
      ...(typeof temperature === 'object' ? { temperature: temperature.wrong } : {}),
      ...(typeof maxTokens === 'object' ? { maxTokens: maxTokens.wrong } : {}),
    },
    chatModels,
    change: (change) => setForm((current) => ({ ...current, ...change })),
  };
}
