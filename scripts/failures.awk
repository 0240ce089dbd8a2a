# From the TAP of a run: what failed, with the file and the tests around it, and what is said of it. A test that failed because of one
# within it is not told again.
{ depth = match($0, /[^ ]/) }
/^ *# Subtest: / {
  titles[depth] = substr($0, depth + 11)
  isTold[depth] = 0
}
/^ *not ok / {
  if (!isTold[depth]) {
    path = ""
    for (at = 1; at < depth; at += 4) {
      path = path titles[at] " > "
      isTold[at] = 1
    }
    print "failed: " path substr($0, depth + 7)
    isDescribed = 1
  }
  isTold[depth] = 0
  next
}
isDescribed && /^ *---$/ { margin = depth }
margin { print substr($0, margin) }
margin == depth && /^ *\.\.\.$/ { margin = 0 }
!margin { isDescribed = 0 }
