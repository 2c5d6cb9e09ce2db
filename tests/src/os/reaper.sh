# shellcheck shell=sh
# Ends what a test process leaves behind, be it by returning, by ^C or by SIGKILL. The test process
# holds the other end of standard input, so its end is the end of our input.
#
#   watch PID SIGNAL   end this process and its descendants, at first by SIGNAL
#   forget PID         it has ended
#   unmount PATH       a file system that was mounted
#   remove PATH        a temporary directory
trap '' HUP INT QUIT TERM

watched=
mounts=
directories=
newline='
'
while read -r verb what signal; do
  case $verb in
    watch) watched="$watched $what:$signal" ;;
    forget)
      kept=
      for entry in $watched; do
        [ "${entry%%:*}" = "$what" ] || kept="$kept $entry"
      done
      watched=$kept
      ;;
    unmount) mounts="$mounts$newline$what" ;;
    remove) directories="$directories$newline$what" ;;
  esac
done

children_of() {
  for status in /proc/[0-9]*/status; do
    while read -r key value; do
      if [ "$key" = PPid: ]; then
        if [ "$value" = "$1" ]; then
          child=${status#/proc/}
          echo "${child%/status}"
        fi
        break
      fi
    done 2>/dev/null <"$status"
  done
}

family=
for entry in $watched; do
  pid=${entry%%:*}
  children=$(children_of "$pid")
  family="$family $pid $children"
  kill -s "${entry##*:}" "$pid" 2>/dev/null
  # A stopped process takes its signal only when it goes on.
  for each in $pid $children; do
    kill -s CONT "$each" 2>/dev/null
  done
done

any_left() {
  for pid in $family; do
    kill -0 "$pid" 2>/dev/null && return 0
  done
  return 1
}
tries=50
while any_left && [ "$tries" -gt 0 ]; do
  tries=$((tries - 1))
  sleep 0.1
done
for pid in $family; do
  kill -s KILL "$pid" 2>/dev/null
done

IFS=$newline
for path in $mounts; do
  umount -l "$path" 2>/dev/null
done
for path in $directories; do
  rm -rf "$path"
done
