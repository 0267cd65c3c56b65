"""What is compiled: decode.c computes a token on a CPU, train.c what a block computes between its products in training.

Both are one shared object, built with the package where there is a C compiler and loaded by ctypes. Nothing is compiled
while the program runs; where the object is missing, torch's operators do the work, and the results are equal by test.
"""
