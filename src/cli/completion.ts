/** `cfs completion SHELL`: a script that lets a shell complete command lines; it asks `cfs complete` each time. */
import { Argument, type Command } from 'commander';
import { action, examples, type Context } from './context.ts';
import { writeJson, writeOut } from './output.ts';

export function define(command: Command): void {
  command.addArgument(new Argument('<shell>', 'the shell that the script is for').choices(['bash', 'zsh', 'fish']));
  examples(
    command,
    'cfs completion bash > /usr/share/bash-completion/completions/cfs',
    'cfs completion zsh > /usr/share/zsh/site-functions/_cfs',
    'cfs completion fish > /usr/share/fish/vendor_completions.d/cfs.fish',
  );
  action(command, ({ json }: Context, shell: Shell) => {
    if (json) writeJson({ shell, script: scripts[shell] });
    else writeOut(scripts[shell]);
  });
}

type Shell = 'bash' | 'zsh' | 'fish';

/**
 * Words go to the program as arguments, never through `eval`. The answer's first line says whether paths fit too; each other line is a
 * word, a tab and what it means. Bash takes `:` and `=` for ends of words, so what is before them is cut off.
 */
const scripts: Readonly<Record<Shell, string>> = {
  bash: String.raw`# bash completion for cfs
_cfs() {
  local line="\${COMP_LINE:0:COMP_POINT}" words answer word
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  local current="\${words[-1]}"
  local cut="\${current%"\${current##*[:=]}"}"
  mapfile -t answer < <("\${words[0]}" complete -- "\${words[@]:1}" 2> /dev/null)
  [[ \${answer[0]} == paths ]] && compopt -o default
  COMPREPLY=()
  for word in "\${answer[@]:1}"; do
    word="\${word%%$'\t'*}"
    COMPREPLY+=("\${word#"$cut"}")
  done
}
complete -F _cfs cfs
`.replaceAll('\\${', '${'),
  zsh: String.raw`#compdef cfs
_cfs() {
  local -a answer described
  answer=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2> /dev/null)}")
  local line
  for line in "\${(@)answer[2,-1]}"; do
    described+=("\${\${line%%$'\t'*}//:/\\:}:\${line#*$'\t'}")
  done
  (( \${#described} )) && _describe cfs described
  [[ \${answer[1]} == paths ]] && _files
}
compdef _cfs cfs
`.replaceAll('\\${', '${'),
  fish: `# fish completion for cfs
function __cfs_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l answer ($words[1] complete -- $words[2..] 2> /dev/null)
  string match -q paths -- $answer[1]; and __fish_complete_path (commandline -ct)
  printf '%s\\n' $answer[2..]
end
complete -c cfs -f -a '(__cfs_complete)'
`,
};
