/** Every type that a public signature names can be imported from the package. */
import path from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const ROOT = path.resolve(__dirname, '../..');

function isHidden(node: ts.Node): boolean {
  const name = (node as { name?: ts.Node }).name;
  return (
    (name !== undefined && ts.isPrivateIdentifier(name)) ||
    ts.getJSDocTags(node).some((tag) => tag.tagName.text === 'internal') ||
    (ts.canHaveModifiers(node) &&
      (ts.getModifiers(node) ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.PrivateKeyword))
  );
}

/** "declaration: type" for what the exports of `entry` name but do not export. */
function unexported(entry: string, text?: string): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.Node20,
    strict: true,
    skipLibCheck: true,
    noEmit: true,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  if (text !== undefined)
    host.getSourceFile = (file, ...rest) =>
      file === entry ? ts.createSourceFile(file, text, ts.ScriptTarget.ES2023, true) : getSourceFile(file, ...rest);
  const program = ts.createProgram([entry], options, host);
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const source = program.getSourceFile(entry)!;
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).map(resolved);
  const known = new Set(exported);
  const missing = new Set<string>();
  const visit = (node: ts.Node, owner: string): void => {
    if (ts.isBlock(node) || ts.isTypeQueryNode(node) || isHidden(node)) return;
    if (ts.isTypeReferenceNode(node) || ts.isExpressionWithTypeArguments(node)) {
      const name = ts.isTypeReferenceNode(node) ? node.typeName : node.expression;
      const symbol = checker.getSymbolAtLocation(name);
      const target = symbol && resolved(symbol);
      const file = target?.declarations?.[0]?.getSourceFile().fileName ?? '';
      const own = file.startsWith(path.dirname(entry)) && !(target!.flags & ts.SymbolFlags.TypeParameter);
      if (own && !known.has(target!)) missing.add(`${owner}: ${target!.name}`);
    }
    ts.forEachChild(node, (child) => {
      // Initial values are no part of a signature.
      if ((node as { initializer?: ts.Node }).initializer !== child) visit(child, owner);
    });
  };
  for (const symbol of exported)
    for (const declaration of symbol.declarations ?? [])
      if (!declaration.getSourceFile().fileName.includes('node_modules')) visit(declaration, symbol.name);
  return [...missing].sort();
}

describe('the types of the package', () => {
  it('are exported where a public signature names them', () => {
    expect(unexported(path.join(ROOT, 'ts/index.ts'))).toEqual([]);
  }, 120_000);

  it('are found missing where they are', () => {
    const entry = path.join(ROOT, 'ts/planted.ts');
    const text = `
      interface Hidden { x: number }
      interface Shown { y: Hidden }
      function f(options: Hidden): Shown { return { y: options }; }
      export { f, type Shown };`;
    expect(unexported(entry, text)).toEqual(['Shown: Hidden', 'f: Hidden']);
  }, 120_000);
});
