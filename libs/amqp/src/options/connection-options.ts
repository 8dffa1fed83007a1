// Types of the options that say where the broker is, and as whom to log in.

/** One URL, the nodes of one cluster, or a function that returns them for each connect. */
export type UrlOption =
  string | readonly string[] | (() => string | readonly string[] | Promise<string | readonly string[]>);

/** User and password, or a function that returns them for each connect (rotating secrets). */
export type CredentialsOption = Credentials | (() => Credentials | Promise<Credentials>);

/** User name and password; override those of the URL. */
export interface Credentials {
  /** User name. */
  readonly username: string;
  /** Password; never shown in logs and errors. */
  readonly password: string;
}

/** Passed to `tls.connect` for `amqps:` URLs, an error for `amqp:` ones. Certificates are verified unless `rejectUnauthorized` is false. */
export interface TlsOptions {
  /** Certificates (PEM) of the authorities to trust. Default: those that Node trusts. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined;
  /** Certificate (PEM) of this client, when the broker wants one. Default: none. */
  readonly cert?: string | Buffer | undefined;
  /** Private key (PEM) of `cert`. Default: none. */
  readonly key?: string | Buffer | undefined;
  /** Certificate and key in one PKCS#12 file, instead of `cert` and `key`. Default: none. */
  readonly pfx?: string | Buffer | undefined;
  /** Passphrase of `key` or `pfx`. Default: none. */
  readonly passphrase?: string | undefined;
  /** Name that the certificate of the broker must have. Default: the host of the URL. */
  readonly servername?: string | undefined;
  /** `false` accepts any certificate of the broker. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** The oldest version of TLS that is used. Default: that of Node, TLSv1.2. */
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** The newest version of TLS that is used. Default: that of Node, TLSv1.3. */
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined;
  /** Cipher suites in the syntax of OpenSSL. Default: those of Node. */
  readonly ciphers?: string | undefined;
}

/** What an instance says of itself in answers to questions, and what it hears. */
export interface FleetOptions {
  /** Version of the application. Default: the environment variable `npm_package_version`, which `npm run` sets. */
  readonly version?: string | undefined;
  /**
   * Whether handlers may be paused and limited in all instances of the service at once. It costs a channel and a stream,
   * `<service>.fleet.control`; whoever may publish to the exchange of that name may do it. Default false.
   */
  readonly control?: boolean | undefined;
}
