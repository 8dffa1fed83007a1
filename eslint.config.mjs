// What a formatter and the type checker do not see. Type-checked rules for TypeScript, plain ones for the scripts.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const node = [
  'process',
  'console',
  'performance',
  'Buffer',
  'URL',
  'fetch',
  'AbortController',
  'AbortSignal',
];
const timers = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'setImmediate',
  'queueMicrotask',
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/.dist/**', '**/node_modules/**', 'coverage/**', 'test/types/wrong/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  // Log lines and names are cleaned of control characters with such expressions, on purpose.
  { rules: { 'no-control-regex': 'off' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.spec.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // The two that matter most in a messaging library: a promise nobody watches is a crash or a lost message.
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Handlers are async by contract even when they have nothing to await.
      '@typescript-eslint/require-await': 'off',
      eqeqeq: 'error',
    },
  },
  {
    files: ['libs/board/page/test/*.ts'],
    languageOptions: {
      parserOptions: {
        project: './libs/board/page/test/tsconfig.json',
        tsconfigRootDir: import.meta.dirname,
      },
    },
  },
  {
    // A test looks at what a broker or a mock gave it; jest's matchers are typed as any.
    files: ['test/**/*.ts', '**/*.spec.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
    },
  },
  {
    // The page of the board: it runs in browsers. What a message contains is shown as text nodes, never as markup.
    files: ['libs/board/page/src/**/*.{ts,tsx}'],
    languageOptions: {
      parserOptions: { project: './libs/board/page/tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      'no-restricted-syntax': [
        'error',
        ...[
          'JSXAttribute[name.name="dangerouslySetInnerHTML"]',
          'MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML|srcdoc|write|writeln)$/]',
          'Property[key.name="dangerouslySetInnerHTML"]',
        ].map((selector) => ({ selector, message: 'Markup from text: use text nodes.' })),
      ],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: Object.fromEntries([...node, ...timers].map((name) => [name, 'readonly'])),
    },
  },
);
