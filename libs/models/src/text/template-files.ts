/** Chat templates in files of their own, as transformers writes them since 4.52. Those with other names nobody asks for. */
export const TOOL_USE_TEMPLATE = 'additional_chat_templates/tool_use.jinja';
export const TEMPLATE_FILES = ['chat_template.jinja', 'additional_chat_templates/default.jinja', TOOL_USE_TEMPLATE];
