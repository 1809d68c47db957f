# SPDX-License-Identifier: Apache-2.0
# oci-gpu-hook.bash - completion for bash
# shellcheck shell=bash

_oci_gpu_hook() {
	local word=${COMP_WORDS[COMP_CWORD]}
	local previous=${COMP_WORDS[COMP_CWORD - 1]}
	local commands="createRuntime prestart precreate poststop plan list"
	local options="--host-root --annotation --log-level --help --version"
	local command="" i

	COMPREPLY=()
	case $previous in
	--bundle | --host-root)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return
		;;
	--gpu)
		mapfile -t COMPREPLY < <(compgen -W "all nvidia amd intel apple" -- "$word")
		return
		;;
	--config)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--log-level)
		mapfile -t COMPREPLY < <(compgen -W "error warning info" -- "$word")
		return
		;;
	--annotation | --pid)
		return
		;;
	esac
	# The command is the first word that is neither an option nor an option's value.
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--bundle | --gpu | --pid | --host-root | --annotation | --config | --log-level) ((i++)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $command in
	"") options="$options $commands" ;;
	createRuntime | prestart | precreate | poststop) options="$options --config" ;;
	plan) options="$options --bundle --gpu --pid --json --config" ;;
	list) options="$options --json --config" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _oci_gpu_hook oci-gpu-hook
