"""Printed pages to text: layout of text layers, and OCR of pictures."""
