"""Factors of one large matrix, as calls of tasks that wait for one another: private."""
