"""The mails that the project writes: the evaluation report, what failed, drift. No lyric is ever in one."""
