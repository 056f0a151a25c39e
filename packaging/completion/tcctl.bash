# bash completion for tcctl; made by `tcctl completion bash`
_tcctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd= i
	COMPREPLY=()
	case $prev in
	--base | --bpffs)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return ;;
	--netns | -n)
		mapfile -t COMPREPLY < <(compgen -W "$(ls /run/netns 2>/dev/null)" -- "$cur")
		return ;;
	--name | --prio | --wait)
		:
		return ;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		check | plan | apply | status | export | remove | doctor | completion | version)
			cmd=${COMP_WORDS[i]}
			break ;;
		esac
	done
	local words=
	case $cmd in
	"") words="check plan apply status export remove doctor completion version" ;;
	check) words=" --base --json -j --quiet -q --verbose -v --help -h" ;;
	plan) words=" --base --netns -n --bpffs --prio --json -j --quiet -q --verbose -v --help -h" ;;
	apply) words=" --base --netns -n --bpffs --prio --wait --json -j --quiet -q --verbose -v --help -h" ;;
	status) words=" --name --netns -n --bpffs --json -j --ours --verbose -v --help -h" ;;
	export) words=" --name --netns -n --bpffs --json -j --verbose -v --help -h" ;;
	remove) words=" --name --netns -n --bpffs --wait --json -j --quiet -q --verbose -v --help -h" ;;
	doctor) words=" --netns -n --bpffs --json -j --verbose -v --help -h" ;;
	completion) words="bash --help -h" ;;
	version) words=" --json -j --help -h" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	case $cmd in
	check | plan | apply)
		[[ $cur = -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames 2>/dev/null ;;
	esac
}
complete -F _tcctl tcctl
