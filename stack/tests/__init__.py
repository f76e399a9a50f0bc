"""These tests need no server: python3 -m unittest"""
