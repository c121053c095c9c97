/** What the file of a program exports that cfs also is when called by its name, or with its name as the first argument. */
export interface ToolFile {
  /**
   * Runs the program.
   *
   * @param calledAs its name, for messages.
   * @param args what follows the name on the command line.
   * @returns the exit code.
   */
  runTool(calledAs: string, args: readonly string[]): Promise<number>;
}
