// What is wrong with something that an operator asked for, with the words that RabbitMQ's management API has for it.

export type RefusalKind =
  'bad_request' | 'not_found' | 'not_authorised' | 'page_out_of_range' | 'invalid_pagination_parameters';

/** Thrown for a request of an operator that cannot be carried out; nothing was changed. */
export class Refusal extends Error {
  override readonly name = 'Refusal';

  constructor(
    readonly kind: RefusalKind,
    message: string,
  ) {
    super(message);
  }
}

export function badRequest(reason: string): Refusal {
  return new Refusal('bad_request', reason);
}
