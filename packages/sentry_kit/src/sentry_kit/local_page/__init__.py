"""The frame of both sentries' local pages: rights, headers, live updates, look."""
