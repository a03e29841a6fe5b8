import { Controller, Get, Headers, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type Metric, type OpenMetricsContentType, Registry, register } from 'prom-client';
import { prefersOpenMetrics } from './metrics-format.js';

/** `/metrics` in the format that is asked for: Prometheus' text, or OpenMetrics, which has exemplars. */
@Controller()
export class MetricsController {
  @Get()
  async metrics(
    @Res({ passthrough: true }) reply: FastifyReply,
    @Headers('accept') accept: string | undefined,
  ): Promise<string> {
    const isOpen = prefersOpenMetrics(accept);
    reply.header('content-type', isOpen ? Registry.OPENMETRICS_CONTENT_TYPE : register.contentType);
    reply.header('vary', 'accept');
    return isOpen ? openMetrics() : register.metrics();
  }
}

/**
 * What the default registry has, as OpenMetrics. Its families are copied: a registry that is switched to that format takes `_total`
 * off the names of its counters for good.
 */
async function openMetrics(): Promise<string> {
  const families = new Registry<OpenMetricsContentType>();
  families.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  for (const family of await register.getMetricsAsJSON()) {
    const isCounter = String(family.type) === 'counter'; // a word, whatever its type says
    const name = isCounter ? family.name.replace(/_total$/, '') : family.name;
    const copy = { name, get: async () => ({ ...family, name }) };
    families.registerMetric(copy as unknown as Metric); // all that a registry reads
  }
  return families.metrics();
}
