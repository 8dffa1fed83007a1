// The contract between page and server: every route with its request and its answer. The page imports only types from
// here, the server both.
//
// All routes are below the option `path`. `GET <path>` is the page, `GET <path>/assets/<file>` its files; the page finds the
// API at '../api/' from its script in assets, so it works behind any prefix, and keeps its own place in the hash (#/handlers).
// Everything else is JSON. An act is `POST api/acts/<name>` with `content-type: application/json`, the token of the session in
// `x-warren-token`, and a body of at most 1 MB.

import type * as Dead from './api/dead-letters.js';
import type * as Handlers from './api/handlers.js';
import type * as Messages from './api/messages.js';
import type * as Services from './api/services.js';
import type { ActName, Session } from './api/session.js';
import type { TopologyAnswer } from './api/topology.js';

export type * from './api/answers.js';
export type * from './api/dead-letters.js';
export type * from './api/handlers.js';
export type * from './api/live.js';
export type * from './api/messages.js';
export type * from './api/services.js';
export type * from './api/session.js';
export type * from './api/topology.js';

/** Answers of `GET`, by path. `:queue`, `:key` and `:id` are percent-encoded. All need the right `look`. */
export interface Views {
  readonly 'api/session': Session;
  readonly 'api/services': Services.ServicesAnswer;
  readonly 'api/handlers': Handlers.HandlersAnswer;
  readonly 'api/dead-letters': Dead.DeadQueuesAnswer;
  readonly 'api/dead-letters/:queue': Dead.LettersAnswer;
  readonly 'api/dead-letters/:queue/letters/:key': Dead.LetterAnswer;
  readonly 'api/jobs': Dead.JobsAnswer;
  readonly 'api/history': Dead.HistoryAnswer;
  readonly 'api/waiting': Messages.WaitingAnswer;
  readonly 'api/calls': Services.CallsAnswer;
  readonly 'api/topology': TopologyAnswer;
  readonly 'api/journey/:id': Messages.JourneyAnswer;
  readonly 'api/exchanges': Messages.ExchangesAnswer;
  readonly 'api/contracts': Messages.ContractsAnswer;
}

/** Streams of server-sent events: see `LiveEvents` and `TailMessage`. They need the right `look`. */
export type Streams = 'api/live' | 'api/tail';

/** Requests and answers of acts, by name. */
export interface Acts {
  readonly 'dead.replay': { readonly request: Dead.ReplayRequest; readonly answer: Dead.JobAnswer };
  readonly 'dead.edit': { readonly request: Dead.EditRequest; readonly answer: Dead.JobAnswer };
  readonly 'dead.drop': { readonly request: Dead.DropRequest; readonly answer: Dead.JobAnswer };
  readonly 'job.continue': { readonly request: Dead.JobRequest; readonly answer: Dead.JobAnswer };
  readonly 'job.stop': { readonly request: Dead.JobRequest; readonly answer: Dead.JobAnswer };
  readonly 'waiting.run-now': {
    readonly request: Messages.RunNowRequest;
    readonly answer: Messages.RunNowAnswer;
  };
  readonly publish: { readonly request: Messages.PublishRequest; readonly answer: Messages.PublishAnswer };
  readonly call: { readonly request: Messages.CallRequest; readonly answer: Messages.CallAnswer };
  readonly 'handler.pause': {
    readonly request: Handlers.HandlerRequest;
    readonly answer: Handlers.HandlerActAnswer;
  };
  readonly 'handler.resume': {
    readonly request: Handlers.HandlerRequest;
    readonly answer: Handlers.HandlerActAnswer;
  };
  readonly 'handler.prefetch': {
    readonly request: Handlers.HandlerNumberRequest;
    readonly answer: Handlers.HandlerActAnswer;
  };
  readonly 'handler.concurrency': {
    readonly request: Handlers.HandlerNumberRequest;
    readonly answer: Handlers.HandlerActAnswer;
  };
  readonly 'handler.rate': {
    readonly request: Handlers.HandlerRateRequest;
    readonly answer: Handlers.HandlerActAnswer;
  };
}

/** Every act has a request and an answer. */
export type ActRequest<Name extends ActName> = Acts[Name]['request'];

/** See ActRequest. */
export type ActAnswer<Name extends ActName> = Acts[Name]['answer'];
