import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const CONFIG_LIBRARY = `${ROOT}libs/config/src/`;
const MAIN_SCHEMA = `${CONFIG_LIBRARY}schema.ts`;

/**
 * Settings of `hydra.yaml` that the code of some apps reads, by app, as paths like `models.price`: found by the types, in everything that
 * the app's `main.ts` imports. What is handed on as a whole section, to code that does not know the schema, counts as read as a whole.
 */
export function settingsRead(apps: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const { config } = ts.readConfigFile(`${ROOT}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [MAIN_SCHEMA] }, ts.sys, ROOT);
  const mainOf = (app: string) => `${ROOT}apps/${app}/src/main.ts`;
  const program = ts.createProgram([...apps.map(mainOf), MAIN_SCHEMA], options);
  const checker = program.getTypeChecker();
  const settings = settingTree(program, checker);
  const readBy = new Map<ts.SourceFile, ReadonlySet<string>>();
  const readIn = (file: ts.SourceFile) => {
    const paths = readBy.get(file) ?? new SettingReader(checker, settings).readIn(file);
    readBy.set(file, paths);
    return [...paths];
  };
  return new Map(
    apps.map((app) => {
      const files = importedFrom(program.getSourceFile(mainOf(app)) as ts.SourceFile, checker);
      return [app, new Set(files.flatMap(readIn))];
    }),
  );
}

interface SettingTree {
  /** The type of the whole configuration. */
  readonly root: ts.Type;
  /** Leaves by the place in the schema that declares them. */
  readonly leaves: ReadonlyMap<ts.Node, string>;
  /** Leaves below each type of a section, of a model, of an item of a list. */
  readonly sections: ReadonlyMap<ts.Type, readonly string[]>;
}

function settingTree(program: ts.Program, checker: ts.TypeChecker): SettingTree {
  const alias = program
    .getSourceFile(MAIN_SCHEMA)
    ?.statements.find((node) => ts.isTypeAliasDeclaration(node) && node.name.text === 'HydraConfig');
  const leaves = new Map<ts.Node, string>();
  const sections = new Map<ts.Type, readonly string[]>();
  const below = (type: ts.Type, path: readonly string[]): string[] =>
    type.getProperties().flatMap((property) => {
      const here = [...path, property.name];
      const inner = itemOf(checker.getNonNullableType(checker.getTypeOfSymbol(property)), checker);
      if (inner.flags & ts.TypeFlags.Object && declaredInSchema(inner.getProperties()[0])) {
        const paths = below(inner, here);
        sections.set(inner, paths);
        return paths;
      }
      for (const node of property.declarations ?? []) leaves.set(node, here.join('.'));
      return [here.join('.')];
    });
  const root = checker.getTypeFromTypeNode((alias as ts.TypeAliasDeclaration).type);
  below(root, []);
  return { root, leaves, sections };
}

/** The type of a list's items, or the type itself. */
function itemOf(type: ts.Type, checker: ts.TypeChecker): ts.Type {
  return checker.isArrayType(type) ? (checker.getTypeArguments(type as ts.TypeReference)[0] ?? type) : type;
}

function declaredInSchema(symbol: ts.Symbol | undefined): boolean {
  return symbol?.declarations?.some((node) => node.getSourceFile().fileName.startsWith(CONFIG_LIBRARY)) ?? false;
}

/** A file, the files of ours that it imports, and theirs; of the library of the configuration, what reads for the apps. */
function importedFrom(main: ts.SourceFile, checker: ts.TypeChecker): ts.SourceFile[] {
  const seen = new Set<ts.SourceFile>();
  const visit = (file: ts.SourceFile): void => {
    if (seen.has(file) || file.isDeclarationFile) return;
    seen.add(file);
    const follow = (node: ts.Node): void => {
      if (ts.isStringLiteral(node) && isModuleName(node)) {
        const imported = checker.getSymbolAtLocation(node)?.declarations?.find(ts.isSourceFile);
        if (imported !== undefined) visit(imported);
      }
      ts.forEachChild(node, follow);
    };
    follow(file);
  };
  visit(main);
  return [...seen].filter(
    ({ fileName }) => !fileName.startsWith(CONFIG_LIBRARY) || fileName.endsWith('/scheduler-targets.ts'),
  );
}

/** In `import … from`, `export … from` and `import()`. */
function isModuleName({ parent }: ts.StringLiteral): boolean {
  return (
    ts.isImportDeclaration(parent) ||
    ts.isExportDeclaration(parent) ||
    (ts.isCallExpression(parent) && parent.expression.kind === ts.SyntaxKind.ImportKeyword)
  );
}

class SettingReader {
  private readonly read = new Set<string>();

  constructor(
    private readonly checker: ts.TypeChecker,
    private readonly settings: SettingTree,
  ) {}

  readIn(file: ts.SourceFile): ReadonlySet<string> {
    this.visit(file);
    return this.read;
  }

  private visit(node: ts.Node): void {
    if (ts.isPropertyAccessExpression(node)) this.noteLeaf(this.checker.getSymbolAtLocation(node.name));
    if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) this.noteBinding(node);
    if (ts.isExpression(node) && isHandedOn(node)) this.noteWhole(node);
    ts.forEachChild(node, (child) => this.visit(child));
  }

  private noteLeaf(symbol: ts.Symbol | undefined): void {
    for (const node of symbol?.declarations ?? []) {
      const path = this.settings.leaves.get(node);
      if (path !== undefined) this.read.add(path);
    }
  }

  private noteBinding({ parent, propertyName, name, dotDotDotToken }: ts.BindingElement): void {
    const type = this.checker.getTypeAtLocation(parent);
    const key = propertyName ?? name;
    if (dotDotDotToken !== undefined) this.note(this.settings.sections.get(type));
    else if (ts.isIdentifier(key)) this.noteLeaf(type.getProperty(key.text));
  }

  /** What takes it by the schema's own type is looked at where it reads. */
  private noteWhole(node: ts.Expression): void {
    const { root, sections } = this.settings;
    const type = itemOf(this.checker.getTypeAtLocation(node), this.checker);
    const taken = this.checker.getContextualType(node);
    if (taken !== undefined && itemOf(taken, this.checker) === type) return;
    this.note(sections.get(type));
    for (const property of (type === root ? taken?.getProperties() : undefined) ?? []) {
      if (declaredInSchema(property)) continue;
      const section = root.getProperty(property.name);
      this.noteLeaf(section);
      if (section !== undefined) this.note(sections.get(this.checker.getTypeOfSymbol(section)));
    }
  }

  private note(paths: readonly string[] | undefined): void {
    for (const path of paths ?? []) this.read.add(path);
  }
}

/** Whether an expression stands where its value goes on as a whole: an argument, a property, a spread, an answer. */
function isHandedOn({ parent }: ts.Expression): boolean {
  return (
    ts.isCallExpression(parent) ||
    ts.isNewExpression(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isShorthandPropertyAssignment(parent) ||
    ts.isSpreadAssignment(parent) ||
    ts.isReturnStatement(parent)
  );
}
