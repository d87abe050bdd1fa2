"""canonface: which parts of a face does a face model rely on?"""
