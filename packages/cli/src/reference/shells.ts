/**
 * Shells: the scripts that complete command lines. Each asks `gam complete`, which prints one candidate a line, with
 * a tab and a description behind it. The line ":files" asks the shell for names of files.
 */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** Asks the shell for names of files. */
export const filesLine = ":files";

const bash = `# bash completion of gam; load it with: source <(gam completion bash)
_gam() {
  local word rest cur=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  # bash takes "=" for a word of its own.
  [ "$cur" = = ] && cur=
  while IFS=$'\\t' read -r word rest; do
    if [ "$word" = ${filesLine} ]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$cur")
    else
      COMPREPLY+=("\${word#--*=}")
    fi
  done < <(gam complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _gam gam
`;

const zsh = `#compdef gam
# zsh completion of gam; load it with: source <(gam completion zsh)
_gam() {
  local -a found
  local word about wants_files
  while IFS=$'\\t' read -r word about; do
    if [[ $word == ${filesLine} ]]; then wants_files=1; else found+=("\${word//:/\\\\:}:$about"); fi
  done < <(gam complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#found )) && _describe -V gam found
  [[ -n $wants_files ]] && _files
}
if [ "$funcstack[1]" = _gam ]; then _gam "$@"; else compdef _gam gam; fi
`;

const fish = `# fish completion of gam; load it with: gam completion fish | source
function __gam_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (gam complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = ${filesLine}
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c gam -f -a '(__gam_complete)'
`;

export const completionScripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
