import { API_ERRORS, type ErrorDefinition, GRPC_STATUS } from './errors.js';

/** `docs/errors.md`, from the table. */
export function errorPage(): string {
  return `# Errors

<!-- Generated from libs/openai/src/errors.ts by \`npm run generate:docs\`; do not edit. -->

Every error has the same body, in OpenAI's shape:

\`\`\`json
{ "error": { "message": "…", "type": "invalid_request_error", "param": "temperature", "code": "invalid_value" } }
\`\`\`

- \`message\` is one sentence for people; \`code\` is one of the table and stays; \`param\` names the parameter at fault
  (\`messages[2].content\`) or is null.
- REST: the status of the table, and \`Retry-After\` in seconds where it helps to come back; with 429 and 503 \`x-hydra-reason\`
  repeats the code. A 429 that is not over within two minutes, or never, has \`x-should-retry: false\`, so that OpenAI's
  clients tell it at once instead of waiting, or asking again.
- In a stream that has begun, the status is spent: the error comes as one last event \`data: {"error": …}\`, without
  \`data: [DONE]\` after it.
- gRPC: the status of the table with the message; trailing metadata \`hydra-error-code\`, \`hydra-error-type\`,
  \`hydra-error-param\` and \`retry-after\`. A call with no message or with several, or with an unknown \`grpc-encoding\`, has
  the status that gRPC asks for, \`UNIMPLEMENTED\`, with \`bad_request\` or \`unsupported_media_type\` in the trailers. A method
  that does not exist has status and message alone.

${renderErrorTable()}`;
}

/** The table in Markdown, in the order of the source. */
export function renderErrorTable(): string {
  const rows = Object.entries<ErrorDefinition>(API_ERRORS).map(
    ([code, { httpStatus, grpcStatus, type, retryAfterS, when }]) =>
      `| \`${code}\` | ${httpStatus} | ${GRPC_STATUS[grpcStatus]} ${grpcStatus} | \`${type}\` | ${retryAfterS === undefined ? '' : `${retryAfterS} s`} | ${when} |\n`,
  );
  return `| code | HTTP | gRPC | type | Retry-After | when |\n|---|---|---|---|---|---|\n${rows.join('')}`;
}
