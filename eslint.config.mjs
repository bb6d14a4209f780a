import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

// The rules that catch mistakes in numeric and asynchronous code; layout belongs to prettier.
export default defineConfig(
  {
    ignores: [
      'build/',
      'build-gyp/',
      'build-asan/',
      'build-cuda/',
      'dist/',
      'dist-test/',
      'runs/',
      'coverage/',
      '**/*.gen.ts',
    ],
  },
  {
    linterOptions: { noInlineConfig: true, reportUnusedDisableDirectives: 'error' },
    rules: {
      'array-callback-return': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-constant-condition': ['error', { checkLoops: false }],
      'no-constant-binary-expression': 'error',
      'no-debugger': 'error',
      'no-dupe-else-if': 'error',
      'no-duplicate-case': 'error',
      'no-eval': 'error',
      'no-fallthrough': 'error',
      'no-loss-of-precision': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-unsafe-finally': 'error',
      'no-useless-assignment': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'use-isnan': 'error',
    },
  },
  {
    files: ['**/*.ts', '**/*.tsx', '**/*.mts', '**/*.cts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true, allowArray: true },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Element access of typed arrays inside loops is typed `number | undefined`: `!` states the loop's bound.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Public functions check what JavaScript callers pass, which the types call unnecessary.
      '@typescript-eslint/no-unnecessary-condition': 'off',
    },
  },
  {
    // What a person reads on a terminal is written by the command line, the benchmarks, the examples and the scripts.
    files: ['ts/cli/**', 'bench/**', 'scripts/**', 'bin/**', 'docs/examples/**', '*.cjs', '*.mjs'],
    rules: { 'no-console': 'off' },
  },
  {
    // Tests feed deliberately wrong values to typed functions.
    files: ['test/**/*.ts'],
    rules: {
      'no-console': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
);
