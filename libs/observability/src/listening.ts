/** What a started app tells the process that forked it. */
export interface ListeningMessage {
  readonly kind: 'listening';
  readonly httpPort: number;
  readonly grpcPort: number;
}

/**
 * Tells a parent process (if there is one) which ports this app listens on. From then on the app ends, as on SIGTERM,
 * when the parent goes away: nobody else would.
 */
export function reportListening({ httpPort, grpcPort }: Omit<ListeningMessage, 'kind'>): void {
  if (process.send === undefined) return;
  const endWithParent = () => process.kill(process.pid, 'SIGTERM');
  if (!process.connected) return void endWithParent();
  process.once('disconnect', endWithParent);
  process.send({ kind: 'listening', httpPort, grpcPort } satisfies ListeningMessage);
}

export function isListeningMessage(message: unknown): message is ListeningMessage {
  return typeof message === 'object' && message !== null && (message as { kind?: unknown }).kind === 'listening';
}
