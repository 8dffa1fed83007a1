// The entry point of @warren/nestjs/prometheus.

export { prometheus, type PrometheusOptions } from './prometheus.js';
